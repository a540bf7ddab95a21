"""The network's pages: a link, meetings on the network, capacity and the exit's users, light, changes, search."""
