// Draws what egui has laid out, in place of the shader that bevy_egui brings: what a pixel costs here decides how
// fast the window is where a processor draws it. Bindings, attributes and BINDLESS are those of bevy_egui 0.42.
//
// bevy_egui multiplies in gamma space and comes back, with six powers a pixel. Here the colour alone is made
// linear and multiplied with the texture, which is linear already. That is the same wherever the texture is white
// (areas, lines) or the colour is (pictures), and nearly the same for letters.

struct Transform {
    scale: vec2<f32>,
    translation: vec2<f32>,
}

struct Corner {
    @location(0) position: vec2<f32>,
    @location(1) uv: vec2<f32>,
    @location(2) color: vec4<f32>,
}

struct Point {
    @builtin(position) position: vec4<f32>,
    @location(0) color: vec4<f32>,
    @location(1) uv: vec2<f32>,
}

@group(0) @binding(0) var<uniform> transform: Transform;

#ifdef BINDLESS
@group(1) @binding(0) var textures: binding_array<texture_2d<f32>>;
@group(1) @binding(1) var samplers: binding_array<sampler>;

struct Which {
    index: u32,
}
var<immediate> which: Which;
#else
@group(1) @binding(0) var image: texture_2d<f32>;
@group(1) @binding(1) var image_sampler: sampler;
#endif

// sRGB to linear (IEC 61966-2-1). x^2.4 is x^2.5 by a root, over x^0.1 by a polynomial that was fitted from .09 to
// 1: no byte becomes another.
fn linear(gamma: vec3<f32>) -> vec3<f32> {
    let x = (gamma + 0.055) / 1.055;
    let rest = 1.38927978 + x * (-1.61109879 + x * (3.34587036 + x * (-3.43481482 + x * 1.31390073)));
    return select(x * x * sqrt(x) * rest, gamma / 12.92, gamma < vec3<f32>(0.04045));
}

@vertex
fn vs_main(in: Corner) -> Point {
    let position = in.position * transform.scale + transform.translation;
    return Point(vec4<f32>(position, 0.0, 1.0), in.color, in.uv);
}

@fragment
fn fs_main(in: Point) -> @location(0) vec4<f32> {
#ifdef BINDLESS
    let texel = textureSample(textures[which.index], samplers[which.index], in.uv);
#else
    let texel = textureSample(image, image_sampler, in.uv);
#endif
    return vec4<f32>(texel.rgb * linear(in.color.rgb), texel.a * in.color.a);
}
