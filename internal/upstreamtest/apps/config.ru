# frozen_string_literal: true

# What a Rack application reads from its env, as JSON.

require "digest"
require "json"

NAMES = JSON.parse(File.read(File.join(__dir__, "names.json")))

# Rack's strings are bytes, JSON's are characters.
def text(value)
  value.to_s.dup.force_encoding(Encoding::UTF_8).scrub
end

def readings(env, name)
  key = name.upcase.tr("-", "_")
  found = {
    "env['HTTP_#{key}']" => env["HTTP_#{key}"],
    "Rack::Request#get_header('HTTP_#{key}')" => Rack::Request.new(env).get_header("HTTP_#{key}"),
  }
  found["env['#{key}']"] = env[key] if key.start_with?("REMOTE_")
  found.transform_values { |value| value.nil? ? [] : [text(value)] }
end

def cookies(env)
  Rack::Request.new(env).cookies.to_h { |name, value| [text(name), text(value)] }
rescue ArgumentError # a name or value that is no UTF-8 when it is decoded
  {}
end

def document(env)
  dump = env.select { |_, value| value.is_a?(String) }.sort
  JSON.generate(
    server: env["SERVER_SOFTWARE"].to_s,
    method: env["REQUEST_METHOD"],
    path: text(env["PATH_INFO"]),
    query: text(env["QUERY_STRING"]),
    body: env["rack.input"].read.bytesize,
    read: NAMES.to_h { |name| [name, readings(env, name)] },
    cookies: { "Rack::Request#cookies" => cookies(env) },
    dump: dump.map { |name, value| { from: "env", name: name, value: text(value) } },
  )
end

# Action Cable takes the socket over in the same way.
def upgrade(env, json)
  accept = [Digest::SHA1.digest(env["HTTP_SEC_WEBSOCKET_KEY"].to_s + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")].pack("m0")
  io = env["rack.hijack"].call
  io.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
           "Sec-WebSocket-Accept: #{accept}\r\n\r\n#{json}\n")
  io.close
  [-1, {}, []]
end

run(lambda do |env|
  json = document(env)
  return upgrade(env, json) if env["HTTP_UPGRADE"] == "websocket"

  headers = { "Content-Type" => "application/json", "Content-Length" => json.bytesize.to_s }
  if env["REQUEST_METHOD"] == "HEAD"
    headers["X-Reading"] = [json].pack("m0")
    json = ""
    headers.delete("Content-Length")
  end
  [200, headers, [json]]
end)
