"""State: the mart, its staging area, receipts and quarantine."""
