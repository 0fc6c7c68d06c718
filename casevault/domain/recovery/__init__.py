"""What a doctor says, what a restored store lacks, what still works on a full disk."""
