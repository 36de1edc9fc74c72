"""Data sets in the forms that people have: each importer makes a manifest of one of them.

An importer returns a `Collection`; what becomes of it, a manifest and a starting study, is the same
for all.
"""
