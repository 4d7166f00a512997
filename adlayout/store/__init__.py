"""Redis or Valkey: the only room that speaks to it, and the server we start where nobody has one."""
