"""What a study will take: jobs, time, memory and disk, before they are spent."""
