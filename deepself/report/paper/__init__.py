"""What a study leaves for a paper: its tables and figures as files."""
