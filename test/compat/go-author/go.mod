module drover.test/go-author

go 1.26
