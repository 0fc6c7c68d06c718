"""`casevault keys`: epochs, rotations, new shares."""
