"""What serves and why: the artifact that is served, the registry of its versions, and the policy that promotes them."""
