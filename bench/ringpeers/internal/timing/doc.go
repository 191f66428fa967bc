// Package timing measures short loops on a machine that others use too.
//
// A window is a loop of about 1.8 ms on a thread that is bound to one core. The
// kernel counts how often a thread has been taken off its core (getrusage,
// RUSAGE_THREAD: ru_nvcsw and ru_nivcsw); a window in which the count has changed
// is thrown away. What is left has had a core to itself, though not the
// caches, and not the clock speed: that is why what is compared must be measured
// in turns, and compared as ratios.
//
// A window is shorter than a time slice, so even a busy machine leaves some. On a
// virtual machine the host can stop a core without the guest's kernel knowing:
// medians forgive that, means would not.
package timing
