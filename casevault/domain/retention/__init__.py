"""What is kept for no purpose any more, and the assessment that a DPO signs."""
