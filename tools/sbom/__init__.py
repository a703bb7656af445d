"""The software bill of materials of the operator's image, read from the image itself."""
