package localserver

import "syscall"

// dieWithParent has the kernel interrupt the child when its parent dies. Both servers
// take SIGINT for "stop in order".
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
