// Package churn is a crowd of clients that come to a hub and leave, in every phase of a connection's life, politely or by
// a reset, and the measure of what they leave behind: nothing, by I5. Tests use it for seconds, the leak soak for hours.
//
// Run has a goroutine for each client that is there at once, and one that publishes; it joins them. A Footprint is read
// from the hub's admin server.
//
// Caveats: the hub has to be on a loopback address. On Linux clients come from many addresses of the loopback network, as
// the ports of one would be used up in half a minute.
package churn
