"""Hosted services asked as a user's program asks them: a short run every half minute, and nothing in between."""
