"""The compiled ground floor of geoprobe: arrays in, arrays and a status out."""
