"""The rows of a case: documents, manifests, files, and the keys under which they lie."""
