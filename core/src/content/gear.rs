//! The gear table: one random word for each byte value.

/// What the table is generated from: the first 2 KiB of BLAKE3's extended output in key derivation mode with this
/// context and no key material, read as little-endian words.
#[cfg(test)]
const CONTEXT: &str = "syncline 2026-11 content gear table v1";

/// One random word for each byte value (Xia et al., FastCDC, USENIX ATC 2016, §3.2). Part of the format: another table
/// cuts files elsewhere and gives them other ids.
#[rustfmt::skip]
pub(super) const GEAR: [u64; 256] = [
    0x5ab0_4d93_996a_ef9e, 0x90cc_df6d_8d01_db6e, 0x670a_eaf4_5cc5_2b40, 0xddcb_ce4d_4586_099c,
    0x0f8e_14aa_0bce_f883, 0xd289_d61f_c46b_433f, 0x02f7_571c_670a_a6f8, 0xf1de_f08d_6740_5383,
    0x7eb8_84af_9fdf_f20d, 0xebd7_e351_9681_7adb, 0xd6c9_8056_3850_d646, 0xdec5_2948_2dc9_75e5,
    0xf100_f760_57bc_9530, 0xaf76_d304_8091_fd0c, 0x06df_bb5a_1529_3302, 0xd151_6090_a4c8_d693,
    0x56a6_395f_1619_64b0, 0xd308_3968_60ab_5c3c, 0x6985_3dbe_3d69_5059, 0xaf48_a914_31ec_530c,
    0x9331_9941_3c94_0c95, 0xb122_6007_369d_68df, 0x20de_aa73_1795_363f, 0x9e1a_4d09_a501_ed5f,
    0x468d_0d51_132b_ac81, 0x1b88_5b14_1cca_bd13, 0x3b22_f248_6123_62e8, 0x5277_94d0_1bbb_157d,
    0x364c_121a_0ce1_4269, 0xdc7f_0745_4805_c120, 0x57df_6a04_ee85_3bf3, 0x5fce_b01b_c74f_9da4,
    0x5de7_11f3_7907_5f95, 0xef35_4026_a972_f48a, 0x3080_9045_ed65_7a32, 0x3a71_54d7_70bd_e516,
    0x4d43_cb77_ca87_0bf6, 0x7d39_76ca_b6f6_6ffc, 0xad0b_beaa_5bb2_c715, 0x7f9d_3631_0092_6b79,
    0x6a9f_ef05_8bfa_222b, 0x9ee8_9552_6b2c_f372, 0xa5af_bb64_a195_3499, 0x6b22_ceb0_9f36_51f9,
    0x0d51_65ba_a4c5_cfc6, 0x6545_5e05_edba_634e, 0x0429_e64c_786f_a494, 0x2cd8_949f_e7ef_2097,
    0xd293_8cc5_f343_2ba9, 0x6377_fd33_a395_e006, 0xea7b_81f3_75f8_f404, 0xf5b3_eaf9_4c68_093b,
    0x7de1_a2dc_70bf_0095, 0xaace_2b55_fefe_ab72, 0xa512_f129_1401_7418, 0x89f4_3d83_db4a_a192,
    0x03ef_72a2_5477_353f, 0xf315_4155_0b60_595b, 0xcedc_e6f4_4198_f958, 0xdf41_2a66_c4ae_f619,
    0xf9a2_dbcf_558c_3d94, 0xe948_e006_8921_d14f, 0x8c6a_90f6_efd2_0eb3, 0xeda4_8325_3e80_f13e,
    0x7b18_5aa5_50f4_d883, 0x145e_88f2_d8eb_725b, 0x4080_de9d_d2dd_e133, 0xb83e_06f1_85d3_d7ef,
    0x1aa1_447f_5962_aac6, 0x6f15_4f39_de96_ed92, 0x2b73_1b06_b61b_87d7, 0xb16c_c4db_a8f5_3355,
    0x486f_a5ff_7f89_2cee, 0x7264_a8ff_ade1_6aee, 0x4dd1_6264_6064_037f, 0x7eee_92b6_8f7d_38d9,
    0x9bc0_0b9c_5ac7_c1e8, 0x8a41_88ae_b5a4_1ab9, 0x3de9_c8e8_95da_8dad, 0xc474_38bc_d82d_bb54,
    0xc6db_ca9f_96c7_32fd, 0xd07a_9a7c_e24f_3c16, 0xd4a2_937c_cf26_1c39, 0x5462_7384_b75b_14f3,
    0x28c1_f6ec_6619_8fc0, 0xe268_bf14_7352_40df, 0x23bd_0ac9_bd6d_72a4, 0x0b5f_7ee3_7a8e_2974,
    0x4f5c_7d90_c157_c552, 0x0f39_3a33_aa7a_968b, 0x3d1c_c398_37bd_8b62, 0xdcc8_4265_5fb3_598c,
    0x125d_9d93_7c70_9c22, 0x7b3a_a545_0797_0631, 0xcead_aba7_239f_b908, 0x6e46_cbcc_79d8_659f,
    0xb6be_bc8e_85e8_df61, 0xea03_4b1a_eaac_430d, 0x1a35_b72c_dd24_55c0, 0xdc91_df2f_b37c_ac13,
    0x9c03_5735_e6cf_ffd0, 0x3e22_7d61_8a47_a4f4, 0xf021_5b77_da20_f268, 0x924f_f9c5_439a_7b8c,
    0xdec4_2adf_52ac_7b78, 0x59a6_3eaf_47ea_9dee, 0x1c16_116d_749b_d300, 0xa94d_c32d_38b6_dbdf,
    0xb011_132d_dc80_2c4c, 0x4a81_4b7c_a349_8597, 0xc35d_6777_3b1b_673a, 0x4969_4703_4db0_e63a,
    0xb2e1_7670_1373_e0f8, 0x1131_ff1f_8b90_165f, 0xa8ce_136c_e54b_cade, 0x61ac_35c7_9631_a677,
    0x389c_4796_6051_d1d0, 0x582e_2def_0bde_5856, 0xcf1a_6b92_1c34_9916, 0x3bec_5661_932e_b04f,
    0x7b91_fbce_77b2_d176, 0xc5de_756d_786d_fd9c, 0xc350_2817_d177_154c, 0x9328_8597_3d87_2518,
    0x0a23_abe3_26ae_2df0, 0x38f9_1b8e_282f_64c2, 0x564a_e9ed_6684_1e36, 0xb71a_4511_ef5a_0546,
    0xd778_8539_8034_e1fb, 0x1dfa_68e4_24d1_3530, 0xa8a9_3417_7ddf_e0dc, 0x041c_6ba6_511d_959f,
    0xa4a8_5ca4_dce8_0923, 0xfabc_b760_6c66_cc8f, 0x5ade_e557_ad1c_4c22, 0xa389_dce7_cdf1_46e7,
    0x1401_ed31_9a4a_b7a6, 0x96f3_5052_0a30_e04e, 0x5211_0cc4_21fa_0b65, 0xc45e_573b_41d0_43e3,
    0xd58d_2bef_58b3_9b08, 0x0e35_d963_65d1_4de8, 0xff9a_de35_b47b_5ddb, 0x6fd2_de5a_733b_77f8,
    0x004e_a529_1a9c_ce5a, 0x703d_617f_bdd6_d14e, 0x636f_a2fb_ad33_7871, 0x7589_163e_91aa_41c8,
    0x3bdd_c3a2_30b0_de8e, 0xc387_1c73_6f6d_64d6, 0x74a0_d805_ac2e_e7ac, 0x4a7d_04a5_361c_0faa,
    0x9888_7da3_b35f_e754, 0x27e1_b339_44b8_1985, 0xa5a2_61bd_ee32_6b14, 0xfae1_ded4_d472_dca0,
    0x525a_fe74_3f86_8c7b, 0x041a_8fc9_81bf_bd38, 0x0f66_c9af_153e_2d19, 0x88b0_ef21_533c_314b,
    0x285f_f08a_52e8_16a3, 0x31fe_19ad_b951_b710, 0x8793_0574_76e9_c7f1, 0xba2b_193c_7a63_2622,
    0x2ddd_1c1a_7b51_c72d, 0x2f82_9f23_f823_5d29, 0xcf4b_5c02_06ec_3598, 0x2cce_ebfd_46c3_722c,
    0x2b9c_a3c2_550b_e84d, 0xfe13_36ec_e3f4_dbb1, 0xf04c_ede1_810c_edd8, 0x9b8c_f0a3_5d89_48de,
    0xb29e_5152_98d4_3a54, 0x7d42_ae27_c62b_1485, 0xee01_1957_fe80_5317, 0xfc4c_458f_e743_6603,
    0x1049_21d3_6029_35a2, 0xdfad_100b_0d4d_ffbf, 0xe778_cd44_dfe2_e4f2, 0xbf42_de91_cb9a_8b7f,
    0xee15_b4ea_f1a3_ca42, 0xbb10_e527_4845_e1bf, 0x2df7_ab53_fe9d_e022, 0x036f_98c8_05c6_a542,
    0x487a_b440_1889_5acd, 0x9c23_2c32_d2cf_0f32, 0x51e9_229b_9d86_4997, 0x6b32_759a_6914_2f29,
    0x7cc0_2b54_76ec_1967, 0xce1f_ee25_5e17_cf7e, 0x245e_c2cf_bc72_4033, 0xde86_95d6_d874_17a5,
    0x335f_937f_1281_154a, 0x80dc_025b_15e5_5bb1, 0xc74a_4686_ab22_fd47, 0xee98_d835_3677_c3a1,
    0xcd72_02dd_6a15_2a0b, 0x2774_3d32_7b3c_6ada, 0x2e27_d15b_ee62_312c, 0x836f_7a83_4bcf_12eb,
    0xe4ad_0ea8_3c47_cb69, 0x42b0_133f_16db_31a3, 0x5205_4225_b952_82a4, 0x8345_f515_06f9_d3b1,
    0x730c_827a_6f89_c1bf, 0x7d26_d102_7e0c_d4ee, 0x5a5e_aaf7_4315_65ce, 0x31bb_13b0_a5b8_a176,
    0x0a83_523d_cda8_c2c1, 0xde0f_8669_e367_502e, 0x5237_c67b_6842_6ae7, 0x68fb_320a_7810_dce8,
    0x01e7_a722_4075_0312, 0xd85d_84a2_d0bf_7bbf, 0x7f36_07dd_e439_69ad, 0xa59b_bfc7_9633_1f9b,
    0x0ae2_4ba7_f561_0088, 0x2ee0_e310_46f6_9ab7, 0xc91b_64c0_e5ef_72b0, 0x362f_de30_5a36_9288,
    0x98e4_ee5c_5c94_3bcc, 0x26ff_787d_acc4_a770, 0xe106_ffbe_b54f_b28e, 0x1fb0_a323_492c_956e,
    0x937b_3109_5765_b516, 0x9417_ccc4_dd2b_7199, 0x5d9d_be2a_5983_6b19, 0x0672_b393_bba4_fa49,
    0x01ee_c7d9_a20b_edbb, 0x9875_d2da_f79b_ba44, 0x0a01_33ca_f0a4_280e, 0x4600_2e24_29c2_38a6,
    0xd83b_8144_676d_b806, 0x5a5c_280f_4385_1a3a, 0xcb5b_3510_2d3c_6a05, 0xe341_7abe_7614_f4b6,
    0x596f_617e_1225_db0f, 0x4c25_6735_5aae_ffe7, 0x95a8_a4eb_f109_15ab, 0xf503_15b4_3803_4d26,
    0xdd0d_add5_7d22_0190, 0x6f64_a188_a9d4_47db, 0x1cc0_8098_e0d2_1c8f, 0x998f_d409_1553_b055,
    0xa04a_869e_0270_1481, 0x720e_8a35_5535_1701, 0x82ce_9863_738a_2154, 0xf503_ec54_889b_21e5,
    0xc31a_b773_03b9_1c33, 0xe06d_29dc_bf03_2564, 0x6c02_d617_13f5_2caa, 0x38ba_03b5_2cc2_427e,
    0x6dff_3a79_4a06_d490, 0x1e47_05fc_d465_a510, 0x27de_530d_aeca_c630, 0x3c40_547e_a895_65eb,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_what_its_context_generates() {
        let mut reader = blake3::Hasher::new_derive_key(CONTEXT).finalize_xof();
        for (value, word) in GEAR.iter().enumerate() {
            let mut bytes = [0; 8];
            reader.fill(&mut bytes);
            assert_eq!(*word, u64::from_le_bytes(bytes), "word of byte {value}");
        }
    }
}
