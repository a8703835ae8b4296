"""What an image file says about how it was made: our own record, and other programs' parameters."""
