"""Our own attacks on published counts: against naive suppression, and against what is shipped."""
