"""What an image file says of how it was generated: our own record, other programs' parameters."""
