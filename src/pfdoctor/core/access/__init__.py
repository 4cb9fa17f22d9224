"""Role-based access control of Azure, as a proof: who may do what where, by which assignment, or what comes nearest.

`decide` gives the verdict on one question in full; the other modules are what it is made of.
"""
