"""The access log as mathematics: what is written, hashed, signed, exported and checked.

Everything here is pure: no clock, no database, no key, nothing but the standard library and
`casevault.errors`. Only `verify` reads files. `docs/formats/ledger.md` gives the exact bytes.
"""
