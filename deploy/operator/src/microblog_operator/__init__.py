"""What whoever runs Microblog needs: look at queues, take dead letters out, fill read models anew."""
