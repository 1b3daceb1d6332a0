return {
  worker = function(n)
    for i = 1, n do
      print(i)
    return n
  end,
}
