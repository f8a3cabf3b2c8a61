"""What is remembered: pictures of sdnb and of other programs read back, and the history of runs."""
