"""Looks at a deployed endpoint, without changing anything, and gives the facts of each of its deployments.

Everything goes through pfdoctor.cloud, whose transport lets only reads through. What cannot be read is Unknown, with
the permission or the network path that was missing, and the rest goes on.
"""
