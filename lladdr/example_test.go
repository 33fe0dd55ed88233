package lladdr_test

import (
	"fmt"

	"github.com/isat-project/isat/lladdr"
)

func ExampleParse() {
	a, err := lladdr.Parse("2:0:0:0:0:A")
	fmt.Println(a, a.Len(), err)
	_, err = lladdr.Parse("0200.0000.000a")
	fmt.Println(err)
	// Output:
	// 02:00:00:00:00:0a 6 <nil>
	// link-layer address "0200.0000.000a": want bytes in hexadecimal with ':' or '-' between, such as 02:00:00:00:00:01
}

func ExampleAddr() {
	hosts := map[lladdr.Addr]string{lladdr.MustParse("02:00:00:00:00:01"): "router"}
	fmt.Println(hosts[lladdr.From6([6]byte{2, 0, 0, 0, 0, 1})])

	var none lladdr.Addr
	fmt.Println(none.IsValid(), none == lladdr.From6([6]byte{}))
	// Output:
	// router
	// false false
}
