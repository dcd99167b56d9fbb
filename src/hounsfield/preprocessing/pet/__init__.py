"""PET with the CT or MR of the same body: pairs, registration."""
