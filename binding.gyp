{ "includes": ["native/groupaffinity.gypi"] }
