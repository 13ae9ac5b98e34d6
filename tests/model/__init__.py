"""The model: an oracle for the run rule, random tubes, and the functions they are made of."""
