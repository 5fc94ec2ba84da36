"""Backing up every service's database and files, and giving them to an empty stack.

What isn't here comes from these: Kafka is filled anew by `republish`, Elasticsearch from Kafka, and secrets are kept by whoever has them.
"""
