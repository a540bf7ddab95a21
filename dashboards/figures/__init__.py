"""Leaders' figures: every one computed from inputs that it names, with where each came from and when."""
