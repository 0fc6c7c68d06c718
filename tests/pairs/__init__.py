"""Labelled pairs of made-up people: one person twice, or two people who are nearly alike.

Built from a seed by public rules of transliteration; see `generate`.
"""
