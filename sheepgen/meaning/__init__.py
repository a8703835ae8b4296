"""What texts mean to a model: how near they are in its text encoder's space.

query          what is asked
spaces         which vector stands for a text, by the class of the text encoder
loading        the text encoder, loaded alone: `token_vectors` or `scene_vectors`
geometry       cosines, the middle, a flat map
atlas          texts where they are
probes         whether what is near in meaning is near there
measure        all of it, in order
report         the numbers as plain data, and in sentences
pictures       the numbers as pictures, saved: `heat_map` and `text_map`
"""
