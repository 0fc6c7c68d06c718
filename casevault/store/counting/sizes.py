"""How large an organisation is, from what is public: the last published total, or its own word."""

from __future__ import annotations

from casevault.disclosure import catalogue
from casevault.disclosure.choosing import TOTAL
from casevault.disclosure.releasing import Release
from casevault.errors import Refused
from casevault.store.context.counting_options import CountingOptions
from casevault.store.counting import releases
from casevault.store.engine.keyring import KeyringTransaction


def people(tx: KeyringTransaction, options: CountingOptions) -> int:
    """Return people a year; never counted from records.

    :raises Refused: nothing was published yet, and the configuration declares nothing.
    """
    for one in reversed(releases.published(tx)):
        design = one.design
        whole_year = (design.period.start.month, design.period.end.month) == (1, 12)
        if TOTAL not in design.tables or not whole_year:
            continue
        if catalogue.shipped().reads(design.catalogue_version):
            release = Release.of(design, catalogue.shipped())
            (cell,) = release.cells(one.noisy)[TOTAL]
            return cell.value or 1
    if not options.people:
        raise Refused(
            "How many people a year the organisation assists is declared nowhere.",
            code="release.size-undeclared",
            hint="Set declared_people in the configuration to the number that you say in public.",
        )
    return options.people
