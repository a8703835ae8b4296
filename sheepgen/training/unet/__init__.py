"""The U-Net: its scenes, its loss and how its attention is supervised."""
