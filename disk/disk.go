// Package disk holds what is true of files on this machine, whoever uses them:
// durable writes, locks, scratch files, free room, Unix users.
package disk
