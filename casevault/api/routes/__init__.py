"""One module per noun; each operation names its permission."""
