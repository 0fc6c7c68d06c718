"""`casevault package`, `exchange`, `partners`: what goes out and comes in."""
