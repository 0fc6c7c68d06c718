"""All cryptography of the product: nothing outside this package touches a primitive."""
