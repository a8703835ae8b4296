"""The text encoder: what it reads prompts with, and the table of what things look like."""
