package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
)

func main() {
	for {
		var kind, header string
		if n, _ := fmt.Scan(&kind, &header); n < 2 {
			return
		}
		r := &http.Request{Header: http.Header{}}
		if header != "-" {
			text, _ := base64.StdEncoding.DecodeString(header)
			r.Header.Set("X-Auth-Organization-Name", string(text))
		}
		values, err := AuthList(r, "X-Auth-Organization-Name")
		if kind == "value" {
			values = make([]string, 1)
			values[0], err = AuthHeader(r, "X-Auth-Organization-Name")
		}
		if err != nil {
			panic(err)
		}
		for _, v := range values {
			if kind == "list" {
				fmt.Print(",")
			}
			fmt.Print(base64.StdEncoding.EncodeToString([]byte(v)))
		}
		fmt.Println()
	}
}
