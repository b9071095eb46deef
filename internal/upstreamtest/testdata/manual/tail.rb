$stdin.each_line do |line|
  kind, header = line.split
  env = header == "-" ? {"HTTP_X_AUTH_ROLE" => "forged"} : {"HTTP_X_AUTH_ORGANIZATION_NAME" => header.unpack1("m").b}
  if kind == "list"
    puts auth_list(env, "X-Auth-Organization-Name").map { |v| "," + [v].pack("m0") }.join
  else
    value = auth_header(env, "X-Auth-Organization-Name")
    raise "not UTF-8" unless value.nil? || value.encoding == Encoding::UTF_8 && value.valid_encoding?
    puts value.nil? ? "-" : [value].pack("m0")
  end
end
