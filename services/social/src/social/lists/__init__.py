"""Lists: people whose posts somebody reads apart, whether they follow them or not. Nobody learns of being in one."""
