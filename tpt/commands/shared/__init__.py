"""What several commands need, a module for each subject."""
