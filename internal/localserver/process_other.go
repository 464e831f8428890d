//go:build unix && !linux

package localserver

import "syscall"

// dieWithParent does nothing here: only Linux tells a child of its parent's death. A
// server that outlives a killed owner is stopped by the next start on its folder.
func dieWithParent(*syscall.SysProcAttr) {}
