// Package testredis gives tests real Redis servers: server/engines with a test as
// their owner, see there. The end of a test kills its servers, and a machine without
// redis-server fails it: what was not tried has not passed.
package testredis
