"""Whether two records speak of one person: pure, versioned, explained.

`VERSION` rises whenever names would be read differently: a search card says by which version it
was made, and `casevault search rebuild` makes it anew. Nothing here stores, logs or decides for
a person: it offers a score and the reasons for it.
"""

VERSION = 1
