package main

import "github.com/isat-project/isat/internal/cli"

// programs returns the parts of isat that this system can run.
func programs() cli.Programs { return cli.Programs{} }
