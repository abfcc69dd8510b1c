"""Files that are whole or absent: npz, csv, json, toml and text; hashes and room on the disk."""
