// Package stress judges what many connections did to queues at once. A History
// has every call that was made, when, and what it answered; a State is what the
// tables hold at the end; Check says what in them cannot be, and shows all that
// happened to the message in question.
//
// The moments are those of the server's clock. What the server tells of a lease
// it read from its clock behind the locks, so deliveries of one message are in
// the order of their moments. Begin and End of a call enclose it.
//
// The test of this package runs random calls on a server whose connections are
// ended and which crashes now and then. It is the only user.
package stress
