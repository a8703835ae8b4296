"""What is added to a model: VAEs, LoRAs and text embeddings, found and checked before torch.

places     where they are: on this disk, in the Hub's cache, or to be downloaded
lora       the file of a LoRA
transformer  a transformer in one file
vae        a VAE in each of its forms
embedding  a text embedding in each of its forms
hashes     all of them at once, with the hashes of their files

The files are anybody's, so of each only the header is read here, as of a model in one file. How the
weights of LoRAs fit the model's layers is checked by `sheepgen.pipeline.lora`.
"""
