// Package disk handles files on this machine: durable writes, locks, scratch files,
// free room, Unix users, moves.
package disk
